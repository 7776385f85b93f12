"""The odd cases of relaying between chat formats, one number each; test_edges.py runs them and counts them.

A module is a section of numbers, and has a table CASES. A case of a request says what is sent to each of the
providers it is shown to, so one more provider is one more entry. What has no case is in reasons.py.
"""

import pytest

pytest.register_assert_rewrite("tests.translation_cases.case_types")
