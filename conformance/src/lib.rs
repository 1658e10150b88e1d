//! Do they agree: legs, cases, verdicts, the matrix, the gate; the reader of launch files and tensors.
