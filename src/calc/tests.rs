//! The registry, the vectors and hostile input.
