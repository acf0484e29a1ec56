//! Discovery as its users see it: configurations in, snapshots out.

mod manager;
mod support;
