COLUMNS = FORMATS = export = None
