//! The guard: the one place that decides whether something that changes the cluster may go out (ux.md 2.8).

/// Proof that a person confirmed a tier 3 action: made where the answer `Y` or the flag `--yes` is read, and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed(());

impl Confirmed {
    /// The person pressed capital `Y` in the dialog, or gave `--yes`.
    pub fn by_person() -> Self {
        Self(())
    }
}
