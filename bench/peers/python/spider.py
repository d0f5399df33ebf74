"""Follows the links of one host with Scrapy and stores nothing.

Usage: spider.py URL CONCURRENCY
"""

import sys
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor


class Spider(scrapy.Spider):
    name = "spider"

    def start_requests(self):
        self.links = LinkExtractor(allow_domains=[urlsplit(sys.argv[1]).netloc], deny_extensions=[])
        yield scrapy.Request(sys.argv[1])

    def parse(self, response):
        if isinstance(response, scrapy.http.HtmlResponse):
            self.pages += response.status == 200
            for link in self.links.extract_links(response):
                yield scrapy.Request(link.url)
        self.urls += response.status == 200

    pages = urls = 0

    def closed(self, reason):
        print(f"pages {self.pages}\nurls {self.urls}")


process = CrawlerProcess(
    {
        "CONCURRENT_REQUESTS": int(sys.argv[2]),
        "CONCURRENT_REQUESTS_PER_DOMAIN": int(sys.argv[2]),
        "DOWNLOAD_DELAY": 0,
        "LOG_LEVEL": "ERROR",
        "TELNETCONSOLE_ENABLED": False,
        "HTTPERROR_ALLOW_ALL": True,
        "REQUEST_FINGERPRINTER_IMPLEMENTATION": "2.7",
    }
)
process.crawl(Spider)
process.start()
