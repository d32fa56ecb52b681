"""Whether a registry is whole: while one is restored from a dump, some tables are there before others.

pg_dump writes them by name, and each is committed by itself: the number of the latest change, and that
change, are there while ``site`` is still empty. Who then took what is read for all there is would never look
again.
"""

from aipolicy.errors import RegistryError

# What the schema promises: numbers without a gap; a site of each change; each site's own name among its
# hosts; how each host came to be one. Counted, not sought: for the first that is missing a planner would go
# row by row through tables that have no index yet.
WHOLE = """SELECT seq = count AND seq = last AND count = theirs
    AND (SELECT count(*) FROM site) <= (SELECT count(*) FROM host)
    AND (SELECT count(*) FROM host) <= (SELECT count(*) FROM host_history)
    FROM sequence, (SELECT count(*) AS count, coalesce(max(change.seq), 0) AS last, count(site.id) AS theirs
        FROM change LEFT JOIN site ON site.id = change.site_id) AS changes"""
"""Whether all is there, by one pass over the keys: some 5 % of what filling a replica takes."""


def not_whole(name: str) -> RegistryError:
    fix = "a restore may be going on: wait for its end; where none is, restore it from a backup"
    return RegistryError(f"registry '{name}' is not whole: {fix}")
