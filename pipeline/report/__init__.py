"""The pages people open: results, tables of the papers, plots."""
