"""The blogs of a WordPress network, from dumps of ``mysqldump``, ``mariadb-dump`` and phpMyAdmin."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.bulk.mysql_dump import read_records
from aipolicy.bulk.rows import SiteRow
from aipolicy.bulk.wordpress import read_wordpress
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError

BLOGS = """
CREATE TABLE `wp_blogs` (
  `blog_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `site_id` bigint(20) NOT NULL DEFAULT 0,
  `domain` varchar(200) NOT NULL DEFAULT '' COMMENT 'it''s a domain (or ;, two)',
  `path` varchar(100) NOT NULL DEFAULT '',
  `registered` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `public` tinyint(2) NOT NULL DEFAULT 1,
  PRIMARY KEY (`blog_id`),
  KEY `domain` (`domain`(50),`path`(5))
) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4;
"""
DUMP = (
    """-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB
-- it's a comment; INSERT INTO `wp_blogs` VALUES (99,1,'no.example','/','',1);
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
DROP TABLE IF EXISTS `wp_2_options`;
CREATE TABLE `wp_2_options` (
  `option_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `option_name` varchar(191) NOT NULL DEFAULT '',
  `option_value` longtext NOT NULL,
  `autoload` enum('yes','no') NOT NULL DEFAULT 'yes',
  PRIMARY KEY (`option_id`)
);
LOCK TABLES `wp_2_options` WRITE;
/*!40000 ALTER TABLE `wp_2_options` DISABLE KEYS */;
INSERT INTO `wp_2_options` VALUES
(1,'siteurl','https://two.example','yes'),
(2,'blogname','Ada\\'s \\"blog\\"; (0,\\'blog_public\\') \\\\','yes'),
(3,'blog_public','0','yes');
UNLOCK TABLES;
INSERT INTO `wp_options` (`option_name`, `option_value`) VALUES ('wpcom_data_sharing_opt_out', '1'),
  ('blog_public','1');
INSERT INTO `wp_3_options` (option_name, option_value) VALUES ('blog_public', '-1');
INSERT INTO `wp_3_options` (option_name, option_value) VALUES ('wpcom_data_sharing_opt_out', '0');
INSERT INTO `wp_posts` VALUES (1,'INSERT INTO `wp_blogs` VALUES (98,1,\\'no.example\\',\\'/\\',\\'\\',1);');
"""
    + BLOGS
    + """INSERT INTO `wp_blogs` VALUES (1,1,'one.example','/','2020-01-01 00:00:00',1),
(2,1,'two.example','/','',1),
(3,1,'three.example','/','',1),(4,1,'four.example','/','',0),(5,1,'one.example','/ada/','',1);
"""
)


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 7, 300, 1 << 16])
def test_a_dump_is_read_in_pieces_of_any_size(size: int) -> None:
    rows = dict(read_wordpress(pieces(DUMP, size)))
    path = rows.pop(5)
    assert rows == {
        1: SiteRow("one.example", SitePolicy.from_flag(True)),
        2: SiteRow("two.example", SitePolicy(visibility="discouraged")),
        3: SiteRow("three.example", SitePolicy(visibility="private")),
        4: SiteRow("four.example", SitePolicy(visibility="discouraged")),
    }
    assert "one.example/ada/" in str(path)
    assert "domain of its own" in str(path)


@pytest.mark.parametrize(
    ("public", "opt_out", "opted_out", "private"),
    [("1", "", False, False), ("1", "1", True, False), ("0", "", True, False), ("-1", "", True, True)],
)
def test_vectors_of_wordpress_com(public: str, opt_out: str, opted_out: bool, private: bool) -> None:
    # signals of blog-privacy: public and silent; opted out; discouraged; private is everything, for everyone.
    text = f"blog_id,domain,path,blog_public,wpcom_data_sharing_opt_out\n7,a.example,/,{public},{opt_out}\n"
    ((number, entry),) = read_wordpress([text])
    assert number == 2
    assert isinstance(entry, SiteRow)
    assert (entry.policy.opted_out, entry.policy.visibility == "private") == (opted_out, private)


def test_a_csv_export_of_wp_blogs_is_read_with_all_its_columns() -> None:
    text = (
        '"blog_id","site_id","domain","path","registered","public","spam"\n'
        '"1","1","one.example","/","2020-01-01 00:00:00","0","0"\n'
        '"2","1","one.example","/two/","2020-01-01 00:00:00","1","0"\n'
        '"3","1","three.example","/","2020-01-01 00:00:00","7","0"\n'
    )
    rows = dict(read_wordpress([text]))
    assert rows[2] == SiteRow("one.example", SitePolicy(visibility="discouraged"))
    assert "shared host" in str(rows[3])
    assert "'7'" in str(rows[4])


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("", "wp_blogs"),
        ("SELECT 1;", "wp_blogs"),
        ("blog_id,path,public\n1,/,1\n", "'domain'"),
        ("blog_id,domain,path\n1,a.example,/\n", "blog_public"),
        ("INSERT INTO wp_blogs VALUES (1,'a.example','/',1);", "CREATE TABLE"),
        ("\n\nINSERT INTO wp_blogs (blog_id,domain) VALUES (1);", "line 3.*1 values for 2 columns"),
        ("INSERT INTO wp_blogs (blog_id,domain) VALUES (1,'a.exam", "complete"),
        ("INSERT INTO wp_blogs (blog_id,domain) VALUES (1,'a.example'", "the end of the file.*complete"),
        ("INSERT INTO wp_blogs (blog_id) SELECT 1;", "VALUES"),
        ("INSERT INTO wp_posts VALUES ('never closed);", "complete"),
        ("/* never closed", "complete"),
    ],
)
def test_an_invalid_dump_is_an_error(text: str, culprit: str) -> None:
    with pytest.raises(AIPolicyError, match=f"(?s){culprit}"):
        list(read_wordpress([text]))


LITERALS = [
    ("'it''s'", "it's"),
    (r"'it\'s \"so\" \\ \% \_ \z'", 'it\'s "so" \\ % _ z'),
    (r"'\0\b\n\r\t\Z'", "\0\b\n\r\t\x1a"),
    ('"it\'s ""so"""', 'it\'s "so"'),
    ("'a\"\"b'", 'a""b'),
    ("''", ""),
    ("'a;),(\n--'", "a;),(\n--"),
    ("_binary 'abc'", "abc"),
    ("_utf8mb4'abc'", "abc"),
    ("N'abc'", "abc"),
    ("0x626c6f67", "blog"),
    ("X'626C6F67'", "blog"),
    ("_binary 0x626c6f67", "blog"),
    ("0xFF", "\udcff"),
    ("NULL", None),
    ("null", None),
    ("-1", "-1"),
    ("1.5e-3", "1.5e-3"),
]


@pytest.mark.parametrize(("literal", "value"), LITERALS)
def test_literals_are_those_of_mysql(literal: str, value: str | None) -> None:
    text = f"INSERT IGNORE INTO `db`.`t` (`a`, b) VALUES\n( {literal} , /* x */ 1),(2,{literal})"
    records = list(read_records([text], "t".__eq__))
    assert records == [("t", 1, {"a": value, "b": "1"}), ("t", 2, {"a": "2", "b": value})]


def quoted(value: str) -> str:
    """Quote a value like mysqldump."""
    for sign, escape in (
        ("\\", "\\\\"),
        ("\0", "\\0"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("'", "\\'"),
        ('"', '\\"'),
    ):
        value = value.replace(sign, escape)
    return f"'{value}'"


@given(
    rows=st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1, max_size=4),
    size=st.integers(1, 40),
)
def test_dumped_values_are_read_back(rows: list[list[str]], size: int) -> None:
    values = ",".join(f"({','.join(map(quoted, row))})" for row in rows)
    text = f"INSERT INTO `other` VALUES {values};\nINSERT INTO `t` (`a`,`b`) VALUES {values};\n"
    records = [[record["a"], record["b"]] for _, _, record in read_records(pieces(text, size), "t".__eq__)]
    assert records == rows


def test_a_long_value_is_read_in_linear_time() -> None:
    long = "x'y" * 700_000
    text = f"INSERT INTO other VALUES ({quoted(long)});INSERT INTO t (a) VALUES ({quoted(long)}),('end');"
    first, second = read_records(pieces(text, 1 << 16), "t".__eq__)
    assert first[2] == {"a": long}
    assert second[2] == {"a": "end"}


def test_any_text_gives_rows_or_one_error() -> None:
    chance = random.Random(1)
    for _ in range(300):
        start = chance.randrange(len(DUMP))
        cut = DUMP[start : start + chance.randrange(400)]
        message = ""
        try:
            list(read_wordpress(pieces(cut, 13)))
        except AIPolicyError as error:
            message = str(error)
        assert "\n" not in message


def test_a_domain_that_is_not_utf_8_is_an_error_with_a_fix() -> None:
    dump = BLOGS + "INSERT INTO `wp_blogs` VALUES (1,1,'b\udcfccher.example','/','',1);"
    ((number, error),) = read_wordpress([dump])
    assert (number, str(error)) == (
        1,
        "'b\ufffdcher.example' is neither a host name nor UTF-8: save the file as UTF-8",
    )
