"""The command `doctor`: checks a stack and a running gateway, and says what to mend."""
