"""Teams, their members, and the audit log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.rest.cloud.endpoints import OK, Ask, endpoint, not_found
from emulator.rest.requests import BadRequest

_ROLES: Final = ("admin", "dev", "finance")


@dataclass
class Team:
    """A team; ``members`` are roles by e-mail address."""

    team_name: str
    copy_cc: bool
    team_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    members: dict[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """The team as the service tells it."""
        return {"team_id": self.team_id, "team_name": self.team_name, "copy_cc": self.copy_cc}

    def told_of(self, email: str) -> dict[str, Any]:
        """One of its members."""
        own = {"team_id": self.team_id, "team_name": self.team_name}
        return own | {"member_email": email, "member_role": self.members[email]}


@endpoint("GET teams")
def list_teams(ask: Ask) -> Any:
    """Returns every team."""
    return [team.told() for team in ask.cloud.teams.values()]


@endpoint("POST team", action="Create Team")
def create_team(ask: Ask) -> Any:
    """Makes a team, whose owner is the account."""
    team = Team(ask.fields.text("team_name"), ask.fields.flag("copy_cc"))
    team.members[ask.cloud.account.email] = "owner"
    ask.cloud.teams[team.team_id] = team
    return team.told()


@endpoint("DELETE team/{team}", action="Delete Team")
def delete_team(ask: Ask) -> Any:
    """Deletes a team that has no databases."""
    team = ask.cloud.team(ask.parts["team"])
    if any(database.record.team_id == team.team_id for database in ask.cloud.databases.by_id.values()):
        raise BadRequest("the team has databases")
    del ask.cloud.teams[team.team_id]
    return OK


@endpoint("GET teams/{team}")
def list_members(ask: Ask) -> Any:
    """Returns the members of a team."""
    team = ask.cloud.team(ask.parts["team"])
    return [team.told_of(email) for email in team.members]


@endpoint("POST teams/member", action="Add Team Member")
def add_member(ask: Ask) -> Any:
    """Adds a member to a team."""
    team = ask.cloud.team(ask.fields.text("team_id"))
    email, role = ask.fields.text("member_email"), ask.fields.text("member_role")
    if role not in _ROLES:
        raise BadRequest(f"member_role must be one of {', '.join(_ROLES)}")
    if email in team.members:
        raise BadRequest("the member is in the team already")
    team.members[email] = role
    return team.told_of(email)


@endpoint("DELETE teams/member", action="Delete Team Member")
def delete_member(ask: Ask) -> Any:
    """Removes a member from a team."""
    team = ask.cloud.team(ask.fields.text("team_id"))
    email = ask.fields.text("member_email")
    if team.members.get(email, "owner") == "owner":
        raise not_found("member")
    del team.members[email]
    return OK


@endpoint("GET auditlogs")
def list_audit_logs(ask: Ask) -> Any:
    """Returns what was done, the latest first."""
    return list(ask.cloud.audit)
