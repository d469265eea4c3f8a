module sttp-kit/skeleton/goapi

go 1.20
