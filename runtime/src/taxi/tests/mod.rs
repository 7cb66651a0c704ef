//! Trips read from the three published schemas, real and hand-made, and generated trips.

mod downloading;
mod generating;
mod reading;
mod real;
