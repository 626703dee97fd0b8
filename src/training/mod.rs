//! Training data: rows from labels, from a teacher's answers or from pairs of answers, what keeps test examples out
//! of them, the files that fine-tuning services and trainers read, and the test by which the tuned model is judged.

pub mod manifest;
