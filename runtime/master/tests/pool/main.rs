//! A real master on a loopback port. Real clients play the other side of the protocol: workers and sessions
//! that send exactly what a test wants.

mod allocation;
mod losses;
mod peers;
mod rows;
mod slots;
mod trust;
