//! Crates that a session adds with `:dep`: the request (`spec`), the small cargo project that builds the
//! whole set so that features unify (`project`), and the shared library that the built crates are linked
//! into (`library`). `session_crates` has the set of one session. How cells use the crates is the
//! compiler's matter.
//!
//! Cargo builds against the compiler's own std, which `libpartita.so` contains as well. The crates are
//! linked into a library of their own *against* `libpartita.so`, so that the process has one std and one
//! instance of each of the crates' statics, whichever cell uses them. A crate that Partita uses too is
//! built separately and is another crate to the compiler, because the profile differs from Partita's.

mod artifact;
mod builder;
mod error;
mod library;
mod project;
mod session_crates;
mod spec;

pub use builder::Builder;
pub use error::DependencyError;
pub use library::{BuiltCrates, CRATE_NAME};
pub use session_crates::{SessionCrates, cache_root};
pub use spec::{Dependency, SpecError, leading_dep_lines};
