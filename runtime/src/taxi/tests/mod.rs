//! Trips read from the three published schemas, real and made by hand, and trips generated.

mod generating;
mod reading;
mod real;
