"""The literature that a report may cite."""

from typing import NamedTuple


class Reference(NamedTuple):
    """A work, as it is cited and for BibTeX."""

    kind: str  # of BibTeX
    authors: tuple  # of "Family, Given"
    title: str
    year: int
    fields: dict  # further fields of BibTeX: where it appeared


_ICML = {"booktitle": "Proceedings of the 42nd International Conference on Machine Learning", "volume": "267"}
_JRSS_B = "Journal of the Royal Statistical Society, Series B"

REFERENCES = {
    "movva2025": Reference(
        "inproceedings",
        ("Movva, Rajiv", "Peng, Kenny", "Garg, Nikhil", "Kleinberg, Jon", "Pierson, Emma"),
        "Sparse Autoencoders for Hypothesis Generation",
        2025,
        {**_ICML, "pages": "44997--45023", "eprint": "2502.04382"},
    ),
    "jiang2025": Reference(
        "article",
        ("Jiang, Nick", "Sun, Xiaoqing", "Dunlap, Lisa", "Smith, Lewis", "Nanda, Neel"),
        "Interpretable Embeddings with Sparse Autoencoders: A Data Analysis Toolkit",
        2025,
        {"journal": "arXiv", "eprint": "2512.10092"},
    ),
    "gao2024": Reference(
        "article",
        (
            "Gao, Leo",
            "Dupré la Tour, Tom",
            "Tillman, Henk",
            "Goh, Gabriel",
            "Troll, Rajan",
            "Radford, Alec",
            "Sutskever, Ilya",
            "Leike, Jan",
            "Wu, Jeffrey",
        ),
        "Scaling and evaluating sparse autoencoders",
        2024,
        {"journal": "arXiv", "eprint": "2406.04093"},
    ),
    "bussmann2024": Reference(
        "article",
        ("Bussmann, Bart", "Leask, Patrick", "Nanda, Neel"),
        "BatchTopK Sparse Autoencoders",
        2024,
        {"journal": "arXiv", "eprint": "2412.06410"},
    ),
    "bussmann2025": Reference(
        "article",
        ("Bussmann, Bart", "Nabeshima, Noa", "Karvonen, Adam", "Nanda, Neel"),
        "Learning Multi-Level Features with Matryoshka Sparse Autoencoders",
        2025,
        {"journal": "arXiv", "eprint": "2503.17547"},
    ),
    "reimers2019": Reference(
        "inproceedings",
        ("Reimers, Nils", "Gurevych, Iryna"),
        "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
        2019,
        {
            "booktitle": "Proceedings of the 2019 Conference on Empirical Methods in Natural Language Processing",
            "pages": "3982--3992",
        },
    ),
    "wang2020": Reference(
        "inproceedings",
        ("Wang, Wenhui", "Wei, Furu", "Dong, Li", "Bao, Hangbo", "Yang, Nan", "Zhou, Ming"),
        "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers",
        2020,
        {"booktitle": "Advances in Neural Information Processing Systems", "volume": "33"},
    ),
    "tibshirani1996": Reference(
        "article",
        ("Tibshirani, Robert",),
        "Regression Shrinkage and Selection via the Lasso",
        1996,
        {"journal": _JRSS_B, "volume": "58", "number": "1", "pages": "267--288"},
    ),
    "monroe2008": Reference(
        "article",
        ("Monroe, Burt L.", "Colaresi, Michael P.", "Quinn, Kevin M."),
        "Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of Political Conflict",
        2008,
        {"journal": "Political Analysis", "volume": "16", "number": "4", "pages": "372--403"},
    ),
    "pedregosa2011": Reference(
        "article",
        ("Pedregosa, Fabian", "others"),
        "Scikit-learn: Machine Learning in Python",
        2011,
        {"journal": "Journal of Machine Learning Research", "volume": "12", "pages": "2825--2830"},
    ),
    "welch1947": Reference(
        "article",
        ("Welch, B. L.",),
        "The Generalization of `Student's' Problem When Several Different Population Variances Are Involved",
        1947,
        {"journal": "Biometrika", "volume": "34", "number": "1-2", "pages": "28--35"},
    ),
    "newcombe1998": Reference(
        "article",
        ("Newcombe, Robert G.",),
        "Interval Estimation for the Difference between Independent Proportions: Comparison of Eleven Methods",
        1998,
        {"journal": "Statistics in Medicine", "volume": "17", "number": "8", "pages": "873--890"},
    ),
    "mielke2007": Reference(
        "book",
        ("Mielke, Paul W.", "Berry, Kenneth J."),
        "Permutation Methods: A Distance Function Approach",
        2007,
        {"publisher": "Springer", "edition": "2"},
    ),
    "cameron2015": Reference(
        "article",
        ("Cameron, A. Colin", "Miller, Douglas L."),
        "A Practitioner's Guide to Cluster-Robust Inference",
        2015,
        {"journal": "Journal of Human Resources", "volume": "50", "number": "2", "pages": "317--372"},
    ),
    "long2000": Reference(
        "article",
        ("Long, J. Scott", "Ervin, Laurie H."),
        "Using Heteroscedasticity Consistent Standard Errors in the Linear Regression Model",
        2000,
        {"journal": "The American Statistician", "volume": "54", "number": "3", "pages": "217--224"},
    ),
    "heinze2002": Reference(
        "article",
        ("Heinze, Georg", "Schemper, Michael"),
        "A Solution to the Problem of Separation in Logistic Regression",
        2002,
        {"journal": "Statistics in Medicine", "volume": "21", "number": "16", "pages": "2409--2419"},
    ),
    "dunn1961": Reference(
        "article",
        ("Dunn, Olive Jean",),
        "Multiple Comparisons Among Means",
        1961,
        {
            "journal": "Journal of the American Statistical Association",
            "volume": "56",
            "number": "293",
            "pages": "52--64",
        },
    ),
    "holm1979": Reference(
        "article",
        ("Holm, Sture",),
        "A Simple Sequentially Rejective Multiple Test Procedure",
        1979,
        {"journal": "Scandinavian Journal of Statistics", "volume": "6", "number": "2", "pages": "65--70"},
    ),
    "benjamini1995": Reference(
        "article",
        ("Benjamini, Yoav", "Hochberg, Yosef"),
        "Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing",
        1995,
        {"journal": _JRSS_B, "volume": "57", "number": "1", "pages": "289--300"},
    ),
    "egami2023": Reference(
        "inproceedings",
        ("Egami, Naoki", "Hinck, Musashi", "Stewart, Brandon", "Wei, Hanying"),
        "Using Imperfect Surrogates for Downstream Inference: Design-based Supervised Learning for Social Science "
        "Applications of Large Language Models",
        2023,
        {"booktitle": "Advances in Neural Information Processing Systems", "volume": "36", "eprint": "2306.04746"},
    ),
    "angelopoulos2023": Reference(
        "article",
        ("Angelopoulos, Anastasios N.", "Bates, Stephen", "Fannjiang, Clara", "Jordan, Michael I.", "Zrnic, Tijana"),
        "Prediction-powered Inference",
        2023,
        {"journal": "Science", "volume": "382", "number": "6671", "pages": "669--674"},
    ),
    "cohen1960": Reference(
        "article",
        ("Cohen, Jacob",),
        "A Coefficient of Agreement for Nominal Scales",
        1960,
        {"journal": "Educational and Psychological Measurement", "volume": "20", "number": "1", "pages": "37--46"},
    ),
    "broder1997": Reference(
        "inproceedings",
        ("Broder, Andrei Z.",),
        "On the Resemblance and Containment of Documents",
        1997,
        {"booktitle": "Compression and Complexity of Sequences", "pages": "21--29"},
    ),
}


def cited(key):
    """Return how a work is cited in a text.

    Examples
    --------
    >>> cited("movva2025"), cited("benjamini1995"), cited("holm1979")
    ('Movva et al., 2025', 'Benjamini & Hochberg, 1995', 'Holm, 1979')
    """
    one = REFERENCES[key]
    names = [author.split(",")[0] for author in one.authors]
    who = (
        names[0]
        if len(names) == 1
        else " & ".join(names)
        if len(names) == 2 and names[1] != "others"
        else (f"{names[0]} et al.")
    )
    return f"{who}, {one.year}"


def reference(key):
    """Return a work as an entry of a list of references."""
    one = REFERENCES[key]
    authors = "; ".join(one.authors).replace("; others", " et al.")
    where = one.fields.get("journal") or one.fields.get("booktitle") or one.fields.get("publisher")
    volume = one.fields.get("volume", "")
    number = f"({one.fields['number']})" if "number" in one.fields else ""
    pages = f", {one.fields['pages'].replace('--', '–')}" if "pages" in one.fields else ""
    preprint = (
        f". arXiv:{one.fields['eprint']}"
        if "eprint" in one.fields and where != "arXiv"
        else (f":{one.fields['eprint']}" if "eprint" in one.fields else "")
    )
    title = one.title.replace("`Student's'", "‘Student’s’")
    return f"{authors} ({one.year}). {title}. {where} {volume}{number}".rstrip() + f"{pages}{preprint}."


def bibtex(key):
    """Return a work as an entry of BibTeX."""
    one = REFERENCES[key]
    fields = {
        "author": " and ".join(one.authors).replace("é", r"{\'e}"),
        "title": f"{{{one.title}}}",
        "year": str(one.year),
        **one.fields,
        **({"archivePrefix": "arXiv"} if "eprint" in one.fields else {}),
    }
    lines = ",\n".join(f"  {name} = {{{value.replace('&', chr(92) + '&')}}}" for name, value in fields.items())
    return f"@{one.kind}{{{key},\n{lines}\n}}"


def bibtex_of_package(version):
    """Return this package as an entry of BibTeX."""
    return (
        "@software{sklearn_sae,\n  author = {{The sklearn\\_sae developers}},\n"
        "  title = {{sklearn\\_sae: sparse autoencoders as scikit-learn estimators}},\n"
        f"  version = {{{version}}}\n}}"
    )
