//! Correlates control replies with requests.
