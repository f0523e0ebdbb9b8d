"""What a table of scores looks like: one offline page, files for other programs, two agents on a screen."""

from aixi.evaluation.report.compare import show_pair
from aixi.evaluation.report.exports import COLUMNS, FORMATS, export
from aixi.evaluation.report.page import html_report

__all__ = ["COLUMNS", "FORMATS", "export", "html_report", "show_pair"]
