//! The only renderer: human text, JSON, JUnit and SARIF.
