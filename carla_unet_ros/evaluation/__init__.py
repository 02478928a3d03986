"""How good labels are: the confusion matrix, and the node that scores labels while driving."""
