//! bruit
