"""A Scrapy spider that follows every link: scrapy runspider everything_spider.py -a url=URL."""

from collections.abc import Iterator

import scrapy
from scrapy.http import Response


class EverythingSpider(scrapy.Spider):
    name = "everything"

    def __init__(self, url: str) -> None:
        super().__init__(start_urls=[url])

    def parse(self, response: Response) -> Iterator[scrapy.Request]:
        for link in response.css("a::attr(href)").getall():
            yield response.follow(link)
