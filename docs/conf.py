"""Sphinx configuration; the documentation is built with warnings as errors."""

import neurosage

project = "neurosage"
author = "The neurosage developers"
copyright = "2026, The neurosage developers"  # noqa: A001  # Sphinx' name
release = neurosage.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "neurosage"
