"""Any JSON value, often with the names that a reader looks for."""

from hypothesis import strategies as st

FLOATS = st.floats()


def json_values(names, known, floats=FLOATS, max_leaves=20):
    """`names` are the keys of most objects, and `known` are values that mean something."""
    leaves = st.none() | st.booleans() | st.integers() | floats | st.text()
    return st.recursive(
        leaves | st.sampled_from(known),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(names) | st.text(), inner, max_size=6)
        ),
        max_leaves=max_leaves,
    )
