//! Replacement templates (`$1`, `${name}`), as Go expands them.
