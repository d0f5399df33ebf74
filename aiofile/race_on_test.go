//go:build race

package aiofile_test

const raceDetector = true
