"""Conditions under which a policy is evaluated beside the nominal ones, and suites of them."""
