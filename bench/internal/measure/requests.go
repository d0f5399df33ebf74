package measure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Get makes one request and reads the answer to its end.
func Get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// Requests prints how fast the requests were made.
func Requests(n int, took time.Duration) {
	fmt.Printf("req/s %.0f\n", float64(n)/took.Seconds())
	fmt.Printf("us %.2f\n", took.Seconds()*1e6/float64(n))
}
