"""JSON documents, as the module ReJSON has them."""
