//! Dave: values named by the work that pays for them, asked for and passed on over UDP.

pub mod codec;
pub mod config;
mod entering;
pub mod gateway;
mod peers;
pub mod socket;
mod values;
pub mod work;

#[cfg(test)]
mod tests;
