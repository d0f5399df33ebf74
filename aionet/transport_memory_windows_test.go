package aionet_test

func openFiles() int { return 10_000 }
