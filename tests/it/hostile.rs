//! Hostile files and answers, as a user meets them.
