//! A job.
