//! Every rule on made-up facts.
