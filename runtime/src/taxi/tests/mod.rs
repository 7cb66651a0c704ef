//! Trips read from the three published schemas, real and made by hand, and trips generated.

mod downloading;
mod generating;
mod reading;
mod real;
