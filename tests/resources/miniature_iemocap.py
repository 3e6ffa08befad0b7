"""A miniature IEMOCAP with the traps of the real tree."""

import shutil
from pathlib import Path

from tests.resources import recordings


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def iemocap(folder: Path, sessions: tuple[int, ...] = (1, 3, 5)) -> Path:
    """Sessions 1, 3 and 5, with dialogue names that end in a letter, lines that do not
    parse, and broken recordings.
    """
    root = folder / "iemocap"
    if 1 in sessions:
        _iemocap_session_1(root / "Session1")
    if 3 in sessions:
        _iemocap_session_3(root / "Session3")
    if 5 in sessions:
        _iemocap_session_5(root / "Session5")
    return root


def _iemocap_session_1(session: Path) -> None:
    turns = session / "sentences" / "wav" / "Ses01F_impro01"
    write_text(
        session / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt",
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.0000, 3.5000]\n"
        "C-E2:\tNeutral;\t()\nC-E3:\tNeutral; Frustration;\t()\nC-F1:\tOther;\t(weary)\n"
        "A-E3:\tval 3; act 2; dom  2;\t()\n\n"
        "[10.0100 - 11.3925]\tSes01F_impro01_M000\texc\t[4.0000, 4.0000, 3.0000]\n"
        "C-E2:\tExcited;\t()\n\n"
        "[12.0 - 13.0]\tSes01F_impro01_F001\txxx\t[2.0000, 2.0000, 2.0000]\n\n"
        "[13.0 - 14.0]\tSes01F_impro01_F002\tzzz\t[2.0000, 2.0000, 2.0000]\n\n"
        "[14.0 - 15.0] Ses01F_impro01_F003\n\n"
        "[15.0 - 16.0]\tSes01F_impro02_F000\tneu\t[2.0000, 2.0000, 2.0000]\n\n"
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tsad\t[1.0000, 1.0000, 1.0000]\n",
    )
    # Other annotators' files and macOS metadata lie beside the evaluations.
    write_text(
        session / "dialog" / "EmoEvaluation" / "Categorical" / "Ses01F_impro01_e2_cat.txt",
        "Ses01F_impro01_F000 :Neutral;\n",
    )
    write_text(session / "dialog" / "EmoEvaluation" / "._Ses01F_impro01.txt", "\x00\x05\x16\x07")
    write_text(
        session / "dialog" / "transcriptions" / "Ses01F_impro01.txt",
        "Ses01F_impro01_F000 [006.2901-008.2357]: May I help you?\r\n"
        "M: [LAUGHTER]\r\n"
        "Ses01F_impro01_M000: times are missing here\r\n"
        "Ses01F_impro01_F001 [012.0000-013.0000]: It\x92s mine.\r\n",
        "latin-1",
    )
    for seed, name in enumerate(("F000", "M000", "F001")):
        recordings.write(turns / f"Ses01F_impro01_{name}.wav", seed=seed)
    recordings.write_corrupt(turns / "._Ses01F_impro01_F000.wav")
    write_text(
        session / "sentences" / "ForcedAlignment" / "Ses01F_impro01" / "Ses01F_impro01_F000.wdseg",
        "\tSFrm\tEFrm\tSegAScr\tWord\n\t0\t4\t-100\t<s>\n\t5\t11\t-200\tMAY\n\t12\t15\t-100\tI\n"
        "\t16\t21\t-300\tHELP(2)\n\t22\t27\t-100\tYOU\n\t28\t29\t-10\t</s>\n",
    )


def _iemocap_session_3(session: Path) -> None:
    """A dialogue whose name ends in a letter and whose prefix names the other speaker's
    markers.
    """
    name = "Ses03M_impro05a"
    write_text(
        session / "dialog" / "EmoEvaluation" / f"{name}.txt",
        f"[0.5000 - 0.8000]\t{name}_F000\tang\t[1.5000, 4.0000, 4.5000]\n\n"
        f"[1.5000 - 1.8000]\t{name}_M001\thap\t[4.5000, 3.0000, 3.5000]\n",
    )
    write_text(
        session / "dialog" / "transcriptions" / f"{name}.txt",
        f"{name}_F000 [000.5000-000.8000]: No way.\n{name}_M001 [001.5000-001.8000]: Yes!\n",
    )
    recordings.write(session / "sentences" / "wav" / name / f"{name}_F000.wav", seed=20)
    recordings.write(session / "sentences" / "wav" / name / f"{name}_M001.wav", seed=21, channels=2)


def _iemocap_session_5(session: Path) -> None:
    """A scripted dialogue with a copied, a silent, a truncated, a missing recording."""
    name = "Ses05F_script03_1"
    turns = ("F033", "M034", "F035", "M036", "F037")
    labels = ("fru", "sad", "dis", "oth", "sur")
    write_text(
        session / "dialog" / "EmoEvaluation" / f"{name}.txt",
        "\n".join(
            f"[{number}.0000 - {number}.3000]\t{name}_{turn}\t{label}\t[3.0000, 3.0000, 3.0000]\n"
            for number, (turn, label) in enumerate(zip(turns, labels, strict=True))
        ),
    )
    write_text(
        session / "dialog" / "transcriptions" / f"{name}.txt",
        "".join(
            f"{name}_{turn} [{number}.0000-{number}.3000]: All of it.\n"
            for number, turn in enumerate(turns)
        ),
    )
    folder = session / "sentences" / "wav" / name
    shutil.copy(recordings.write(folder / f"{name}_F033.wav", seed=30), folder / f"{name}_M034.wav")
    recordings.write_silent(folder / f"{name}_F035.wav")
    recordings.write_truncated(folder / f"{name}_M036.wav")
