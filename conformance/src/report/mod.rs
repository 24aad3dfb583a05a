//! What is told about a run: to a reader, to a program, to a CI server.

pub(crate) mod document;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod text;
