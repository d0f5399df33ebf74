module github.com/go-asyncio/asyncio

go 1.26

require go.uber.org/goleak v1.3.0
