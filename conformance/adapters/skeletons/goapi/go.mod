module sttp-kit/skeleton/goapi

go 1.20

require github.com/sttp/goapi v0.2.0 // the newest; `go get github.com/sttp/goapi@latest` writes what there is
