//! The event loop.
/// To come.
pub async fn run(setup: super::Setup) -> crate::error::Result<()> {
    let _ = setup;
    unimplemented!()
}
