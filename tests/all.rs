//! Every integration test of the project, one binary.
