//! What a transformer may import and not use.

use crate::bindings::transformer::periplus::discovery::types::{Failure, FailureKind};
use crate::bindings::transformer::periplus::discovery::{dns, files, http, types};
use crate::store::GuestState;

fn denied() -> Failure {
    Failure {
        kind: FailureKind::Denied,
        message: "a transformer reaches nothing outside".to_owned(),
    }
}

impl types::Host for GuestState {}

impl http::Host for GuestState {
    fn send(&mut self, _: http::Request) -> wasmtime::Result<Result<http::Response, Failure>> {
        Ok(Err(denied()))
    }

    fn start(&mut self, _: http::Request) -> wasmtime::Result<u32> {
        Err(wasmtime::Error::msg(
            "a transformer reaches nothing outside",
        ))
    }

    fn next(&mut self, _: u32) -> wasmtime::Result<Option<http::Answer>> {
        Ok(None)
    }

    fn abandon(&mut self, _: u32) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl dns::Host for GuestState {
    fn resolve(
        &mut self,
        questions: Vec<dns::Question>,
    ) -> wasmtime::Result<Vec<Result<Vec<dns::Answer>, Failure>>> {
        Ok(questions.iter().map(|_| Err(denied())).collect())
    }
}

impl files::Host for GuestState {
    fn read(&mut self, _: String) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        Ok(Err(denied()))
    }

    fn glob(&mut self, _: String) -> wasmtime::Result<Result<Vec<String>, Failure>> {
        Ok(Err(denied()))
    }
}
