module github.com/go-asyncio/asyncio

go 1.26
