module github.com/tolmach/tolmach/bindings/go

go 1.24
