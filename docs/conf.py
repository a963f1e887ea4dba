"""The documentation site: `sphinx-build -W -n docs build/docs`, from the root of the repository."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# Each library gets one thread. The problems are small, and on a busy machine more threads would wait for one another.
os.environ.update(STEEPEST_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import steepest

# A RuntimeWarning of NumPy or of a run ends the build, unless the page catches it.
warnings.filterwarnings("error", category=RuntimeWarning)

project = "steepest"
author = "the authors of steepest"
version = release = steepest.__version__

sys.path.insert(0, str(Path(__file__).parent))  # for the extensions of this folder
extensions = [
    "sphinx.ext.autodoc",
    "commands",
    "folds",
    "formulas",
    "mathml",
    "registered",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
    "numpydoc",
]
exclude_patterns = ["gallery"]
smartquotes = False
default_role = "py:obj"
# In docstrings, names of arguments and attributes have the same single quotes as names with an entry to link to.
nitpick_ignore_regex = [("py:obj", r"(st\.|Result\.)?\w+")]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# Docstrings name the types in words. Annotations would become links to pages of NumPy, which an offline build lacks.
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_math_renderer = "mathml"
html_show_copyright = False
html_theme = "furo"
html_title = "steepest"
html_static_path = ["static"]
html_css_files = ["gallery.css", "site.css"]
html_js_files = ["copy.js"]

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "course",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": (),
    "image_srcset": ["2x"],
    "doc_module": ("steepest",),
    "reference_url": {"steepest": None},
    "backreferences_dir": "course/backreferences",
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 3600,
    "remove_config_comments": True,
}
