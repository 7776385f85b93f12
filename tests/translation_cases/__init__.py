"""Numbered cases of translation between chat formats, run by test_cases.py.

Each module holds a section of numbers in its table CASES. A case of a request lists what each provider is
sent, so one more provider is one more entry. skipped.py lists the numbers that have no case.
"""

import pytest

pytest.register_assert_rewrite("tests.translation_cases.case_types")
