"""Neural sequence predictors: what they read, the networks in PyTorch, and the same networks compiled.

Import from the modules: this one loads nothing, so that naming the package costs no import of torch.
"""
