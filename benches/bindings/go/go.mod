module github.com/tolmach/tolmach/benches/bindings/go

go 1.24

require github.com/tolmach/tolmach/bindings/go v0.1.0

replace github.com/tolmach/tolmach/bindings/go => ../../../bindings/go
