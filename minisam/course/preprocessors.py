"""Two steps that are added to nbgrader's: a manifest on release, no hidden tests in feedback."""

from typing import Any

from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from nbgrader.utils import is_grade

from minisam.course.messages import in_words
from minisam.course.notebooks import MANIFEST, graded_cells


class WriteManifest(NbGraderPreprocessor):
    """Write into a notebook which graded cells it has, so that a student can see one is lost."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Write them into the notebook's metadata."""
        nb.metadata[MANIFEST] = list(graded_cells(nb))
        return nb, resources


class HideTests(ClearHiddenTests):
    """Take hidden tests out of what students see: their source, and their lines in tracebacks.

    What stays of an error is its message. That is the feedback.
    """

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:
        """Take them out of one cell."""
        if is_grade(cell) and self._remove_hidden_test_region(cell):
            for output in cell.get("outputs", ()):
                if output.output_type == "error":
                    output.traceback = [in_words(output)]
        return cell, resources
