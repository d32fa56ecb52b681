"""A live site as crawlers see it: what each is told and by which line, what is wrong, what differs."""
