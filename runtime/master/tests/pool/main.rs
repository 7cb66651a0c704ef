//! A real master on a loopback port, and the protocol's other side played by real clients: workers and
//! sessions that say exactly what a test wants them to.

mod allocation;
mod losses;
mod peers;
mod rows;
mod slots;
mod trust;
