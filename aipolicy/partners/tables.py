"""The tables of partners, beside the registry's own in its database.

They have a metadata of their own, so that replicas never carry them, and a version of their own in ``meta``,
so that a registry of any age gets them when the first partner is added and other programs go on as before.
Nothing is deleted: a partner that is removed keeps its row, as every answer and read stays as evidence.
Times are microseconds since the epoch, UTC.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    select,
)

from aipolicy.errors import RegistryError
from aipolicy.registry import Registry
from aipolicy.registry.schema import meta

VERSION = "1"
_KEY = "partner_schema_version"

# As in aipolicy.registry.schema.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

partner = Table(
    "partner",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("name", _TEXT, nullable=False, unique=True),
    Column("crawlers", _TEXT, nullable=False),  # JSON array of product tokens
    Column("contact", _TEXT, nullable=False),
    Column("receives", _TEXT, nullable=False),  # JSON array: exports, feed, crawl
    Column("since", _TEXT, nullable=False),  # the day, ISO 8601
    Column("deadline_days", Integer, nullable=False),
    Column("added", _NUMBER, nullable=False),
    Column("removed", _NUMBER),
    Column("examined", _NUMBER, nullable=False),  # removal requests are opened up to this change
)

token = Table(
    "partner_token",
    metadata,
    Column("digest", _TEXT, primary_key=True),  # SHA-256, hexadecimal
    Column("partner_id", _NUMBER, ForeignKey(partner.c.id), nullable=False),
    Column("created", _NUMBER, nullable=False),
    Column("ended", _NUMBER),
)

read = Table(
    "partner_read",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("partner_id", _NUMBER, ForeignKey(partner.c.id), nullable=False),
    Column("at", _NUMBER, nullable=False),
    Column("kind", _TEXT, nullable=False),  # feed, snapshot, check, removals
    Column("after", _NUMBER),  # the cursor that was sent: a change's number
    Column("upto", _NUMBER, nullable=False),  # the last change that the answer covers
    Column("events", Integer, nullable=False),
    Column("digest", _TEXT, nullable=False),  # of the answer's body: SHA-256, hexadecimal
    Index("ix_partner_read_partner_id_upto", "partner_id", "upto"),
)

export = Table(
    "partner_export",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("partner_id", _NUMBER, ForeignKey(partner.c.id), nullable=False),
    Column("at", _NUMBER, nullable=False),
    Column("seq", _NUMBER, nullable=False),  # the registry's last change when it was decided
    Column("manifest", _TEXT, nullable=False),  # its path
    Column("digest", _TEXT, nullable=False),  # of the manifest: SHA-256, hexadecimal
    Column("shared", _NUMBER, nullable=False),  # posts
    Column("withheld", _NUMBER, nullable=False),  # posts
    Index("ix_partner_export_partner_id", "partner_id"),
)

export_site = Table(
    "partner_export_site",
    metadata,
    Column("site_id", _NUMBER, primary_key=True, autoincrement=False),
    Column("export_id", _NUMBER, ForeignKey(export.c.id), primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

removal = Table(
    "removal",
    metadata,
    Column("id", _TEXT, primary_key=True),  # a UUID
    Column("partner_id", _NUMBER, ForeignKey(partner.c.id), nullable=False),
    Column("site_id", _NUMBER),
    Column("site", _TEXT, nullable=False),
    Column("path", _TEXT),  # a path pattern; NULL: the whole site
    Column("posts", _TEXT),  # JSON array of post ids; NULL: all
    Column("reason", _TEXT, nullable=False),
    Column("seq", _NUMBER, nullable=False),  # the change that opened it
    Column("opened", _NUMBER, nullable=False),
    Column("due", _NUMBER, nullable=False),
    Column("withdrawn", _NUMBER),
    Index("ix_removal_partner_id_site_id", "partner_id", "site_id"),
)

removal_answer = Table(
    "removal_answer",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("removal_id", _TEXT, ForeignKey(removal.c.id), nullable=False, index=True),
    Column("at", _NUMBER, nullable=False),
    Column("actor", _TEXT, nullable=False),
    Column("obligation", _TEXT, nullable=False),  # past, future
    Column("outcome", _TEXT, nullable=False),
    Column("reason", _TEXT),
    Column("dataset_version", _TEXT),
    Column("reference", _TEXT),
    Column("expected_completion", _TEXT),  # the day, ISO 8601
    Column("digest", _TEXT, nullable=False),  # of the answer's body: SHA-256, hexadecimal
)


def ensure_tables(registry: Registry) -> None:
    """Create the tables if the registry doesn't have them yet.

    Raises:
        RegistryError: a newer aipolicy made them, or the registry is a replica.
    """
    with registry.database.reading() as connection:
        version = _version(connection)
    if version is None:
        with registry.database.writing() as connection:
            version = _version(connection)  # another process may have been quicker
            if version is None:
                metadata.create_all(connection)
                connection.execute(insert(meta), {"key": _KEY, "value": VERSION})
                version = VERSION
    if version != VERSION:
        fix = f"upgrade aipolicy, which reads version {VERSION}"
        raise RegistryError(f"the partner tables of this registry have version {version}: {fix}")


def _version(connection: Connection) -> str | None:
    version: str | None = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar()
    return version
