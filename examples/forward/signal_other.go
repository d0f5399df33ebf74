//go:build !unix

package main

import "os"

// statistics has no signal here.
var statistics os.Signal
